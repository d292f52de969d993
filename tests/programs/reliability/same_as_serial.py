from comparing import same_as_serial

same_as_serial()
